"""What people may call their studies, presets and rivals: a line of text that everyone can see.

Two spellings that look alike are one name: `é` written as two characters becomes one character.
"""

import unicodedata

MOST_BYTES = 200
"""How long the id of a study may be. A file name holds 255 bytes; some names append to the id."""
MOST_LETTERS = 200
"""How long the name of a rival may be, which stands in tables and figures."""
JOINERS = "\u200c\u200d"
"""Characters that nobody sees, but that are part of how some scripts and emoji are written."""
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
