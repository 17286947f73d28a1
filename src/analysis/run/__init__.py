"""The run: a study's notebooks executed in order, each when something it depends on changed, and never by halves."""
