"""The schema of guest configurations agrees with the parser.

guest_config_test runs the parser over tests/unit/data/config: it accepts every file in good/ and refuses every file in
bad/. This test runs the schema over the same files. What a schema cannot see is listed by name, and the list is held
to: a file in it that the schema does refuse is a failure.
"""

import json
import pathlib

import jsonschema
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = TOP / 'tests/unit/data/config'
SCHEMA = json.loads((TOP / 'vmm/config/guest.schema.json').read_text())

# Refused by the parser for the value of a number that is written as a string.
BEYOND_SCHEMA = {'block_odd_memory', 'memory_large', 'memory_overflow', 'memory_small', 'memory_wraps'}


def examples(kind):
    paths = sorted((EXAMPLES / kind).glob('*.cfg'))
    assert paths, f'no examples in {EXAMPLES / kind}'
    return [pytest.param(path, id=path.stem) for path in paths]


def refuse_key_twice(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError('a key is given twice')
    return dict(pairs)


def is_accepted(path):
    try:
        value = json.loads(path.read_bytes().decode('utf-8'), object_pairs_hook=refuse_key_twice)
    except ValueError:
        return False
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def test_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize('path', examples('good'))
def test_schema_accepts(path):
    assert is_accepted(path)


@pytest.mark.parametrize('path', examples('bad'))
def test_schema_refuses(path):
    assert is_accepted(path) == (path.stem in BEYOND_SCHEMA)
