"""Tamil words in Latin letters, the way the keyword list writes them (எழுத்து is ``ezuqqu``).

One letter for one letter: a consonant carries its vowel behind it, a vowel letter is written
like its sign, and அ, which has no sign, is ``a``. The spelling is exact and can be read back,
which is why upper case is used for the long and the retroflex. The list of keywords is the
witness: a test romanises all of them. ஞ and what Tamil borrows for other languages' sounds do
not occur there; their letters are chosen so that no two words meet.
"""

from __future__ import annotations

_CONSONANTS = dict(zip("கஙசஞடணதநபமயரலவழளறனஜஶஷஸஹ", "kwcFtNqnpmyrlvzLRZjXxsh", strict=True))
_SIGNS = {
    "ா": "A", "ி": "i", "ீ": "I", "ு": "u", "ூ": "U", "ெ": "e", "ே": "E", "ை": "Y",
    "ொ": "o", "ோ": "O", "ௌ": "V", "்": "",
}  # fmt: skip
_VOWELS = {
    "அ": "a", "ஆ": "A", "இ": "i", "ஈ": "I", "உ": "u", "ஊ": "U", "எ": "e", "ஏ": "E", "ஐ": "Y",
    "ஒ": "o", "ஓ": "O", "ஔ": "V", "ஃ": "H",
}  # fmt: skip


def romanise(tamil: str) -> str:
    """The romanised spelling of a word; what is no Tamil letter stays as it is."""
    letters: list[str] = []
    bare = False  # a consonant still waits for its vowel
    for letter in tamil:
        if letter in _CONSONANTS:
            letters.append("a" + _CONSONANTS[letter] if bare else _CONSONANTS[letter])
            bare = True
        elif letter in _SIGNS:
            letters.append(_SIGNS[letter])
            bare = False
        else:
            letters.append("a" * bare + _VOWELS.get(letter, letter))
            bare = False
    return "".join(letters) + "a" * bare
