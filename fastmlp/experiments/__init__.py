"""What recipes, ablation studies, the hyperparameter search and the command line share.

`settings` is the table of the arguments of `MLP` and `MLP.fit` that an experiment may set, `toml`
reads the files that set them, `fingerprint` identifies data, and `histories` joins the histories of
an interrupted training.

For tables there are `tables`, a file of named columns, `targets`, what its label column has to
predict, `splits` and `table_rows`, its rows and their division, and `table_models`, the estimators
with the parameters that an experiment may set.  These need the extra ``tabular``.
"""
