import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.config.reading.document import Document, read, read_value
from audiosurvey.errors import UserError


def fault_of(text: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        read(text, "config.yaml")
    assert len(caught.value.lines) == 1
    return caught.value.lines[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("2.5e+2", 250.0),
        (".5", 0.5),
        ("0.", 0.0),
        ("-.0", 0.0),
        ("30_000", 30_000),
        ("1_0.5", 10.5),
        ("010", 10),
        ("0x1F", 31),
        ("-7", -7),
        (".inf", float("inf")),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("[64, 64]", [64, 64]),
        ("{res: [64, 64]}", {"res": [64, 64]}),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = read_value(text)
    assert found == value
    assert type(found) is type(value)


def test_every_key_and_item_knows_its_line() -> None:
    document = read("a: 1\nb:\n  c: {d: 2,\n      e: 3}\n  f:\n    - g: 4\n    - [5,\n       6]\n", "config.yaml")
    assert document.data == {"a": 1, "b": {"c": {"d": 2, "e": 3}, "f": [{"g": 4}, [5, 6]]}}
    lines = {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", "d"): 3,
        ("b", "c", "e"): 4,
        ("b", "f"): 5,
        ("b", "f", 0): 6,
        ("b", "f", 0, "g"): 6,
        ("b", "f", 1, 1): 8,
    }
    assert {path: document.place(path) for path in lines} == lines
    assert document.place(("b", "c", "missing", "deep")) == 3
    assert document.place(("nothing",)) == 1


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null", b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_config(text: str | bytes) -> None:
    assert read(text, "config.yaml").data == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_and_line_ends(encoding: str) -> None:
    document = read("root: Vögel\r\nseed: 3\r\n".encode(encoding), "config.yaml")
    assert document.data == {"root": "Vögel", "seed": 3}
    assert document.place(("seed",)) == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- a\n- b\n", 1, "is a mapping"),
        ("# words\njust words\n", 2, "is a mapping"),
        ("a: 1\n\tb: 2\n", 2, "a tab"),
        ("a:\n\tb: 2\n", 2, "a tab"),
        (
            "a:\n    b: 1\n  c: 2\n",
            3,
            "while parsing a block mapping (line 1): expected <block end>",
        ),
        ("a: b: c\n", 1, "mapping values are not allowed here; check indentation, quotes and brackets"),
        (
            "a: 1\nb: [1, 2\nc: 3\n",
            3,
            "while parsing a flow sequence (line 2): expected ',' or ']', but got ':'",
        ),
        (
            "a: 1\nb: {c: 1\nd: 3}\n",
            3,
            "while parsing a flow mapping (line 2): expected ',' or '}', but got ':'",
        ),
        ("a: 'open\nb: 1\n", 3, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document in the stream (line 1): but found another document"),
        ("a: 1\nb: *nowhere\n", 2, "undefined alias"),
        ("a: !!python/object:os.system x\n", 1, "not used in configs"),
        ("a: 1\n? [x]\n: 2\n", 2, "must be a word"),
        ("a: 1\n? \n: 2\n", 2, "key is missing"),
        ("a: !!int five\n", 1, "not of the type int"),
        (b"a: 1\nname: V\xf6gel\n", 2, "not UTF-8"),
        ("a: 1\nb: \x00\n", 2, "not allowed"),
    ],
)
def test_syntax_errors_are_one_located_line(text: str | bytes, line: int, words: str) -> None:
    message = fault_of(text)
    assert message.startswith(f"config.yaml:{line}: ")
    assert words in message
    assert "\n" not in message


def test_keys_given_twice_are_collected() -> None:
    document = read("a: 1\nb: {c: 1, c: 2}\na: 3\n", "config.yaml")
    assert [(place, fault.dotted, fault.message) for place, fault in document.faults] == [
        (2, "b.c", "given twice, first on line 2; keep one"),
        (3, "a", "given twice, first on line 1; keep one"),
    ]
    assert document.data["a"] == 1


def test_aliases_and_merges() -> None:
    document = read("a: &base {lr: 1, wd: 2}\nb: {<<: *base, lr: 3}\nc: *base\n", "config.yaml")
    assert document.data == {"a": {"lr": 1, "wd": 2}, "b": {"lr": 3, "wd": 2}, "c": {"lr": 1, "wd": 2}}
    assert document.place(("b", "wd")) == 1
    assert document.place(("b", "lr")) == 2


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {<<: *a}\n"])
def test_an_alias_of_itself_is_refused(text: str) -> None:
    assert "contains itself" in fault_of(text)


def test_alias_bombs_are_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 12):
        text += f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]\n"
    assert "aliases multiply" in fault_of(text)


@pytest.mark.parametrize("text", ["a: " + "[" * 20_000, "a: " + "{a: " * 5_000])
def test_endless_nesting_is_refused(text: str) -> None:
    assert "config.yaml:1: " in fault_of(text)


def test_put_moves_the_place() -> None:
    document = read("a:\n  b: {c: 1}\n", "config.yaml")
    document.put(("a", "b"), {"c": 2}, "a.b")
    assert document.place(("a", "b", "c")) == "a.b"
    assert document.place(("a",)) == 1


def located_or_read(text: str | bytes) -> bool:
    """Whether reading gives a document, or else exactly one line with a place."""
    try:
        return isinstance(read(text, "config.yaml"), Document)
    except UserError as error:
        return len(error.lines) == 1 and error.lines[0].startswith("config.yaml:")


@given(st.text(max_size=60))
def test_any_text_gives_a_document_or_one_located_line(text: str) -> None:
    assert located_or_read(text)


@given(st.binary(max_size=40))
def test_any_bytes_give_a_document_or_one_located_line(text: bytes) -> None:
    assert located_or_read(text)


@pytest.mark.parametrize("content", [b"\x00\xff\xfe", b"RIFF\x24\x00\x00\x00WAVE", b"PK\x03\x04\x00\x00"])
def test_binary_data_is_not_text(content: bytes) -> None:
    assert fault_of(content) == "config.yaml: is not text (UTF-8) but binary data; a config is a YAML file"
