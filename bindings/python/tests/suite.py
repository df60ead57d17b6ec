"""What the runner of the list of behaviours compares with."""
import scout


class Mismatch(Exception):
    """What was expected and what came."""


class NotApplicable(Exception):
    """Why the language's types leave no way to do this."""


def same(what, expected, found):
    if expected != found:
        raise Mismatch("%s: expected %.200r, found %.200r" % (what, expected, found))


def near(what, expected, found, tolerance):
    if len(expected) != len(found) or any(abs(a - b) > tolerance for a, b in zip(expected, found)):
        raise Mismatch("%s: expected %.200r within %g, found %.200r" % (what, expected, tolerance, found))


def raises(status, names, function):
    try:
        function()
    except scout.ScoutError as error:
        same("status", status, error.status)
        if names not in str(error):
            raise Mismatch("message %r does not contain %r" % (str(error), names))
        same("class", scout._errors.BY_STATUS[status], type(error))
        return
    raise Mismatch("expected status %d, nothing was raised" % status)


def unescape(text):
    """Printable ASCII stands for itself, the rest is \\xNN."""
    parts = text.encode("ascii").split(b"\\x")
    return parts[0] + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts[1:])
