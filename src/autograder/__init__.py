"""What instructors run: build and release the notebook, grade, write feedback. Never in a student's wheel."""
