"""What the verifier knows, and every way in which it changes: one module for each thing kept.

All functions block on the database and are called in a thread.  What changes something is
one transaction, in which the event, its leaf in the log and the new checkpoint are written
together with the state that they prove.
"""
