"""What people may call their studies, presets and rivals: a line of text that everyone can see.

Two spellings that look alike are one name: `é` as one character and as two is always the former.
"""

import unicodedata

MOST_BYTES = 200
"""Of the id of a study. A file name holds 255; what is written beside it appends to it."""
MOST_LETTERS = 200
"""Of the name of a rival, which stands in tables and figures."""
JOINERS = "\u200c\u200d"
"""Not seen themselves, they are part of how some scripts and emoji are written."""
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of Unicode: control, format and half characters, ends of lines and paragraphs."""


def composed(name: str) -> str:
    """The name in the one spelling of all that look like it (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)


def unseen(name: str) -> str:
    """The first character that nobody can see, as `U+202E`; empty: there is none."""
    for letter in name:
        if unicodedata.category(letter) in UNSEEN and letter not in JOINERS:
            return f"U+{ord(letter):04X}"
    return ""
