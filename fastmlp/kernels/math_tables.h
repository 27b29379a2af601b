/* Coefficients of math.pxd, in double and float.  Where they come from:
 *
 * INVERSE_FACTORIAL  1/k!, the Taylor series of exp; on |r| <= ln(2)/2 the terms left out are
 *                    below 2^-27 (float, degree 7) and 2^-57 (double, degree 13).
 * INVERSE_ODD        1/(2k+1), the series of atanh(s)/s in s²; s <= 1/3 leaves out less than
 *                    2^-29 (float, 8 terms) and 2^-58 (double, 17 terms).
 * SCALED_ERFC        exp(y²)·erfc(y)/t as a polynomial in u = 2t − 1, t = 1/(1 + y/2): its
 *                    interpolation at the Chebyshev nodes of [−1, 1], computed with 80 digits;
 *                    within 4e-9 (float, degree 13) and 4e-17 (double, degree 27) of it.
 */
#ifndef FASTMLP_MATH_H
#define FASTMLP_MATH_H

#include "vector.h"

#if REAL_IS_DOUBLE
#define LN2_HIGH 6.93145751953125e-1 /* few bits: n·LN2_HIGH is exact */
#define LN2_LOW 1.42860682030941723212e-6
#define EXP_MOST 710.0     /* beyond it exp overflows to infinity */
#define EXP_LEAST (-708.5) /* below it the result is flushed to zero */
#define EXP_DEGREE 13
#define ATANH_TERMS 17
#define ERFC_DEGREE 27
static const real INVERSE_FACTORIAL[] = {
    (real)1.0,
    (real)1.0,
    (real)5.0e-1,
    (real)1.6666666666666666667e-1,
    (real)4.1666666666666666667e-2,
    (real)8.3333333333333333333e-3,
    (real)1.3888888888888888889e-3,
    (real)1.984126984126984127e-4,
    (real)2.4801587301587301587e-5,
    (real)2.7557319223985890653e-6,
    (real)2.7557319223985890653e-7,
    (real)2.5052108385441718775e-8,
    (real)2.0876756987868098979e-9,
    (real)1.6059043836821614599e-10,
};
static const real INVERSE_ODD[] = {
    (real)1.0,
    (real)3.3333333333333333333e-1,
    (real)2.0e-1,
    (real)1.4285714285714285714e-1,
    (real)1.1111111111111111111e-1,
    (real)9.0909090909090909091e-2,
    (real)7.6923076923076923077e-2,
    (real)6.6666666666666666667e-2,
    (real)5.8823529411764705882e-2,
    (real)5.2631578947368421053e-2,
    (real)4.7619047619047619048e-2,
    (real)4.3478260869565217391e-2,
    (real)4.0e-2,
    (real)3.7037037037037037037e-2,
    (real)3.4482758620689655172e-2,
    (real)3.2258064516129032258e-2,
    (real)3.030303030303030303e-2,
};
static const real SCALED_ERFC[] = {
    (real)5.1079135262101148893e-1,
    (real)3.4358034220690529782e-1,
    (real)1.3973604627802694565e-1,
    (real)1.8221115753439500638e-2,
    (real)-1.0755330944719348691e-2,
    (real)-3.2395925338790128683e-3,
    (real)1.5453060291222002697e-3,
    (real)4.1864803150011777096e-4,
    (real)-3.3153674834618891348e-4,
    (real)-1.7185720676919689373e-5,
    (real)7.223535548997429031e-5,
    (real)-1.7074435930768933868e-5,
    (real)-1.084807828833204955e-5,
    (real)8.0604269638581869689e-6,
    (real)-5.6275591923781177984e-7,
    (real)-1.8218361427008818178e-6,
    (real)1.000798235130305222e-6,
    (real)-1.1572473805190680233e-9,
    (real)-2.8538447745550976176e-7,
    (real)1.6246994987174998334e-7,
    (real)-1.8486693687621830066e-9,
    (real)-5.5465870442114341153e-8,
    (real)2.913115530848750842e-8,
    (real)5.140345918956905489e-9,
    (real)-9.7755566671115677293e-9,
    (real)1.6323398807169343914e-9,
    (real)1.2098746244203230817e-9,
    (real)-3.9863629427747804072e-10,
};
#else
#define LN2_HIGH 6.93359375e-1f
#define LN2_LOW (-2.12194440054690582767e-4f)
#define EXP_MOST 89.0f
#define EXP_LEAST (-87.5f)
#define EXP_DEGREE 7
#define ATANH_TERMS 8
#define ERFC_DEGREE 13
static const real INVERSE_FACTORIAL[] = {
    (real)1.0,
    (real)1.0,
    (real)5.0e-1,
    (real)1.6666666666666666667e-1,
    (real)4.1666666666666666667e-2,
    (real)8.3333333333333333333e-3,
    (real)1.3888888888888888889e-3,
    (real)1.984126984126984127e-4,
};
static const real INVERSE_ODD[] = {
    (real)1.0,
    (real)3.3333333333333333333e-1,
    (real)2.0e-1,
    (real)1.4285714285714285714e-1,
    (real)1.1111111111111111111e-1,
    (real)9.0909090909090909091e-2,
    (real)7.6923076923076923077e-2,
    (real)6.6666666666666666667e-2,
};
static const real SCALED_ERFC[] = {
    (real)5.1079135275822744083e-1,
    (real)3.435803420618640519e-1,
    (real)1.3973603285564063246e-1,
    (real)1.822112999666641185e-2,
    (real)-1.0755118239612550152e-2,
    (real)-3.2398228162778407006e-3,
    (real)1.5440560512264841644e-3,
    (real)4.20058102530947189e-4,
    (real)-3.2811550365340340865e-4,
    (real)-2.1354872324039884702e-5,
    (real)6.7700910620122773405e-5,
    (real)-1.0600327837622009239e-5,
    (real)-8.5130912662951338652e-6,
    (real)2.8520846495265855795e-6,
};
#endif

#endif
