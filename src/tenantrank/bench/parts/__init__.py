"""The parts of the suite, a module each: every one runs alone, and writes rows, failures and omissions to a log."""
