"""The process that reads one PDF or office file for `ingest.guard`: bytes come in by stdin, blocks go out as JSON."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import astuple

from domains.spec import InvalidInput
from ingest.limits import Limits
from ingest.readers import read


def main(filename: str, limits: Limits) -> None:
    """Read a file from stdin within the memory that it may take."""
    data = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_AS, (limits.read_bytes, limits.read_bytes))
    try:
        answer: object = {"blocks": [astuple(block) for block in read(filename, data, limits)]}
    except InvalidInput as refusal:
        answer = {"refused": [refusal.detail, refusal.remedy, refusal.field]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Limits(**json.loads(sys.argv[2])))
