"""The processes of one run: what each of them measured comes in, the sum of all goes out.

`run_folder` is where they hand it over, in the private folder of the run.
"""
