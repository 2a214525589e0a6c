"""What instructors run: build and release the notebook, grade submissions, write feedback. Never in a student's wheel."""
