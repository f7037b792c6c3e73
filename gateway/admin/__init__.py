"""The clerk's pages (``/admin``): sales, lots, catalogues, registrations, settlement, results.

Every page is complete without JavaScript: a form is sent, and what became of it is said in
words on the page that follows.  What is changed here goes through the same functions as the
consumer API for whoever runs the house (``gateway.api``), so there is one set of rules; these
modules only read forms and show what there is.
"""
