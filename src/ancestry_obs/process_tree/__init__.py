"""The processes of one run: what each of them measured comes in, the sum of all goes out.

    run_folder     the private folder of a run: what is measured, and a file from each process
"""
