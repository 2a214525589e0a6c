"""Mutants: the tests are tested on wrong answers, each a model solution with one mistake that has a name.

`mutant` is what one is, `patterns` a structural search and replace, `groups`, `layers` and `networks` the field's own
mistakes, `library` a mutation library's operators, `made` all of them together. `uses` says which tests an answer can
change, `arena` judges one in a warm kernel, `proof` all of them in a few processes, and `page` shows what came out.
"""
