"""The licence of a Python distribution as an SPDX expression, from what its metadata says.

Does: read License-Expression, else the trove classifiers, else a short License field. Does not: read licence texts, or
guess: what is not clear is `unknown`.
"""

from __future__ import annotations

from email.message import Message

UNKNOWN = "unknown"
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "LicenseRef-BSD",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
_FIELDS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd 3-clause": "BSD-3-Clause",
    "isc license": "ISC",
    "mit license": "MIT",
    "the bsd 2-clause license": "BSD-2-Clause",
    "the mit license": "MIT",
}
_IDENTIFIERS = frozenset(
    (
        "0BSD", "AFL-3.0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "GPL-2.0-only",
        "GPL-3.0-only", "HPND", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "MIT", "MIT-0", "MIT-CMU",
        "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib",
    )
)  # fmt: skip


def licence_of(metadata: Message) -> str:
    """SPDX expression of a distribution, or `unknown`.

    Several licence classifiers do not say whether all or one of them hold, so they count only if they agree.

    >>> from email import message_from_string as read
    >>> licence_of(read("License-Expression: MIT AND PSF-2.0"))
    'MIT AND PSF-2.0'
    >>> licence_of(read("Classifier: License :: OSI Approved :: MIT License"))
    'MIT'
    >>> licence_of(read("License: BSD-2-Clause\\nClassifier: License :: OSI Approved :: BSD License"))
    'BSD-2-Clause'
    >>> licence_of(read("License: see the file LICENSE"))
    'unknown'
    """
    expression = (metadata.get("License-Expression") or "").strip()
    if expression:
        return expression
    # The field comes first: the classifier "BSD License" leaves open how many clauses.
    field = (metadata.get("License") or "").strip()
    if "\n" not in field:
        parts = field.replace("(", " ").replace(")", " ").split()
        if parts and all(part in _IDENTIFIERS or part in ("AND", "OR") for part in parts):
            return field
        if field.lower() in _FIELDS:
            return _FIELDS[field.lower()]
    classifiers = [
        text.split(" :: ")[-1] for text in metadata.get_all("Classifier", []) if text.startswith("License ::")
    ]
    found = {_CLASSIFIERS.get(text, UNKNOWN) for text in classifiers if text != "OSI Approved"}
    return found.pop() if len(found) == 1 else UNKNOWN
