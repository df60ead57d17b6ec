# The module that SWIG makes of the C header: every function and constant of scout/scout.h under its own name. Not for use outside this
# package; bindings/swig/python.i says what each type becomes.
from typing import Any

def __getattr__(name: str) -> Any: ...
