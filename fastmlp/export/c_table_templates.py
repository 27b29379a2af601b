"""The functions of an exported C file of a model of a table, as text for c_tables.py.

The model is named NET.  Numbers of columns are double, as in Python, with NaN for a missing value;
encodings are rounded to the networks' float.  fastmlp/tabular/columns.py has the formulas.
"""

from __future__ import annotations

__all__ = [
    "CATEGORIES",
    "COLUMNS",
    "DATE_PARTS",
    "GAPS",
    "INTERPOLATED",
    "LEVEL",
    "MEAN",
    "NUMBER_LEVEL",
    "PREDICT_CLASS",
    "PREDICT_PROBA",
    "PREDICT_VALUE",
    "SCALED",
    "SECONDS",
    "Z",
]

LEVEL = """\
/* the number of a text among n levels, without blanks at its ends; -1 if it is none of them */
static int NET_level(const char *text, const char *const *levels, int n)
{
    static const char blanks[] = " \\t\\n\\v\\f\\r\\034\\035\\036\\037";
    size_t length;
    int k;

    if (!text)
        return -1;
    text += strspn(text, blanks);
    length = strlen(text);
    while (length && strchr(blanks, text[length - 1]))
        length--;
    for (k = 0; length && k < n; k++)
        if (strncmp(levels[k], text, length) == 0 && !levels[k][length])
            return k;
    return -1;
}
"""

NUMBER_LEVEL = """\
/* the same of a month or weekday */
static int NET_number_level(double x, const double *levels, int n)
{
    int k;

    for (k = 0; k < n; k++)
        if (x == levels[k])
            return k;
    return -1;
}
"""

SECONDS = """\
double NET_seconds(int year, int month, int day, int hour, int minute, double second)
{
    /* Hinnant's days_from_civil, in which years begin in March */
    double y = month > 2 ? year : year - 1.0;
    double era = floor(y / 400.0), of_era = y - 400.0 * era;
    double of_year = floor((153.0 * (month > 2 ? month - 3 : month + 9) + 2.0) / 5.0) + day - 1.0;
    double days = 365.0 * of_era + floor(of_era / 4.0) - floor(of_era / 100.0) + of_year;

    days += 146097.0 * era - 719468.0;
    return 86400.0 * days + 3600.0 * hour + 60.0 * minute + second;
}
"""

DATE_PARTS = """\
/* days since a first date, year, month, weekday (0: Monday), day and hour, from seconds since 1970,
   by Hinnant's civil_from_days */
static void NET_date_parts(double seconds, double first, double *part)
{
    double day = floor(seconds / 86400.0), of_day = floor(seconds - 86400.0 * day);
    double era = floor((day + 719468.0) / 146097.0), of_era = day + 719468.0 - 146097.0 * era;
    double year = floor((of_era - floor(of_era / 1460.0) + floor(of_era / 36524.0)
        - floor(of_era / 146096.0)) / 365.0);
    double of_year = of_era - (365.0 * year + floor(year / 4.0) - floor(year / 100.0));
    double month = floor((5.0 * of_year + 2.0) / 153.0); /* 0: March */
    double next = floor(month / 10.0); /* 1 in January and February */

    part[0] = (seconds - first) / 86400.0;
    part[1] = year + 400.0 * era + next;
    part[2] = month + 3.0 - 12.0 * next;
    part[3] = day + 3.0 - 7.0 * floor((day + 3.0) / 7.0);
    part[4] = of_year - floor((153.0 * month + 2.0) / 5.0) + 1.0;
    part[5] = of_day / 3600.0;
}
"""

SCALED = """\
/* z = (x - median) factor within -1e9 ... 1e9; 0 where x is missing */
static double NET_scaled(double x, double median, double factor)
{
    double z = isnan(x) ? 0.0 : (x - median) * factor;

    return z < -1e9 ? -1e9 : z > 1e9 ? 1e9 : z;
}
"""

INTERPOLATED = """\
/* scores at n ascending knots, linear in between, constant beyond; 0 where x is missing */
static double NET_interpolated(double x, const double *knots, const double *scores, int n)
{
    int low = 0, high = n - 1, middle;

    if (isnan(x))
        return 0.0;
    if (x <= knots[low] || x >= knots[high])
        return scores[x <= knots[low] ? low : high];
    while (high - low > 1) {
        middle = (low + high) / 2;
        if (knots[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    return scores[low]
        + (scores[high] - scores[low]) / (knots[high] - knots[low]) * (x - knots[low]);
}
"""

# What a network sees of number i, the next columns at a, by its encoding
COLUMNS = {
    "raw": """\
        *a++ = (float)(z / hypot(1.0, z / 3.0));
GAPS""",
    "piecewise_linear": """\
        *a++ = (float)(z / hypot(1.0, z / 3.0));
GAPS        if (NET_lowest[i] < NET_highest[i]) { /* otherwise it has no bins */
            *a++ = isnan(x[i]) || z < (double)NET_lowest[i] ? NET_lowest[i]
                : z > (double)NET_highest[i] ? NET_highest[i] : (float)z;
        }
""",
    "quantile": """\
        const double *knots = NET_knots + NET_first[i], *scores = NET_scores + NET_first[i];

        *a++ = (float)NET_interpolated(x[i], knots, scores, NET_first[i + 1] - NET_first[i]);
GAPS""",
}
Z = """\
        double z = NET_scaled(x[i], NET_medians[i], NET_factors[i]);

"""
GAPS = """\
        if (NET_gaps[i])
            *a++ = isnan(x[i]) ? 1.0f : 0.0f;
"""
CATEGORIES = """\
    for (i = 0; i < N_CATEGORIES; i++) /* two levels: 1 and -1 */
        *a++ = NET_n_levels[i] != 2 ? (float)k[i] : k[i] < 0 ? 0.0f : 1.0f - 2.0f * (float)k[i];
"""

MEAN = """\
/* the mean of the networks' outputs */
static void NET_mean(const NET_row *row, double *h)
{
DECLARATIONS    float a[N_IN], out[N_NETWORKS][N_OUT];
    int i, j;

STATEMENTS    for (j = 0; j < N_OUT; j++) {
        h[j] = 0.0;
        for (i = 0; i < N_NETWORKS; i++)
            h[j] += (double)out[i][j];
        h[j] /= N_NETWORKS.0;
    }
}
"""

PREDICT_PROBA = """\
void NET_predict_proba(const NET_row *row, float p[N_OUT])
{
    double h[N_OUT], largest, total = 0.0;
    int j;

    NET_mean(row, h);
    for (j = 0; j < N_OUT; j++)
        h[j] = log(h[j] < LEAST ? LEAST : h[j]) / TEMPERATURE;
    largest = h[0];
    for (j = 1; j < N_OUT; j++)
        if (h[j] > largest)
            largest = h[j];
    for (j = 0; j < N_OUT; j++) {
        h[j] = exp(h[j] - largest);
        total += h[j];
    }
    for (j = 0; j < N_OUT; j++)
        p[j] = (float)(h[j] / total);
}
"""

PREDICT_CLASS = """\
int NET_predict(const NET_row *row)
{
    double h[N_OUT];
    int j, best = 0;

    NET_mean(row, h);
    for (j = 1; j < N_OUT; j++)
        if (h[j] > h[best])
            best = j;
    return best;
}
"""

PREDICT_VALUE = """\
double NET_predict(const NET_row *row)
{
    double h[1], value;

    NET_mean(row, h);
    value = h[0] * DEVIATION + MEAN;
    return value < LOWEST ? LOWEST : value > HIGHEST ? HIGHEST : value;
}
"""
