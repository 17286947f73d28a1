"""How fast the run and the estimators are: ratios to other ways of doing the same, measured in one sitting."""
