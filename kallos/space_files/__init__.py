"""The program of a Space, which is copied there beside the code of kallos and only runs there."""
