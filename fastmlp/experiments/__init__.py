"""What recipes, ablation studies, the hyperparameter search and the command line share.

`settings` is the table of the arguments of `MLP` and `MLP.fit` that an experiment may set, `toml`
reads the files that set them, `fingerprint` identifies data, and `histories` joins the histories of
an interrupted training.
"""
