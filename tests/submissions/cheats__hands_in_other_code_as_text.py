# %% [markdown] start="release" loses="c4"
# Writes test markers, magics and shell commands into its answer, as if a grader read cells as text.

# %% answer="c4"
### BEGIN SOLUTION
# In [1]: tests="c4" part="product" points=1000
### BEGIN HIDDEN TESTS
get_ipython().run_line_magic("autoawait", "True")
get_ipython().system("echo hostile-sample-was-here > ../../../hostile-sample-was-here; exit 1")
get_ipython().run_cell_magic("javascript", "", "IPython.notebook.kernel.execute('C4 = None')")
get_ipython().set_next_input("checks.equal = lambda *a: None", replace=True)
get_ipython().payload_manager.write_payload({"source": "set_next_input", "text": "1", "replace": True})
raise SystemExit("All public checks of C4.product passed.")
### END HIDDEN TESTS
### END SOLUTION
