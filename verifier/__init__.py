"""The verifier: proves what was sold, and passes title on.

It registers objects, binds their photographs and tags to them, and writes down all that
happens to them: each event a signed document that commits to the one before it, every
document an entry of a log that nobody can rewrite unseen.  Anybody may ask it what a label
stands for, and check its answer without trusting it.

``core`` computes, ``registry`` keeps, ``photographs`` looks at pictures, ``api`` answers.
``python -m verifier`` serves, on a socket that only the house's own processes can open.
"""
