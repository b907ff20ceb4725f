"""Tables are read as spreadsheets save them, and what is no table is named with the line."""

import pytest

from medpeft.base.errors import UserError
from medpeft.base.tables import column_names, parse_table

ROWS = [{"id": "001", "name": "Müller; A"}, {"id": "NA", "name": ""}]


def rows(content: bytes) -> list[dict[str, str]]:
    return parse_table(content, "t.csv", "fetch it")[0].to_dict("records")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_separator_encoding_and_line_end_give_the_same_rows(encoding, separator, line_end):
    lines = [["id", "name"], ["001", '"Müller; A"'], ["NA", ""]]
    text = "".join(separator.join(line) + line_end for line in lines)
    table, assumed = parse_table(text.encode(encoding), "t.csv", "fetch it")
    assert table.to_dict("records") == ROWS
    assert assumed == (encoding == "cp1252")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nid;name\n001;Müller, A\n",  # Excel's own
        'id,name,\n001,"Müller, A",\n',  # a separator at the end of each line
        '"id\n","\n name"\n001,"Müller, A"\n',  # line breaks in names
        ' id , name\n001,"Müller, A"\n,\n\n',  # spaces in names, rows without values
        ',id,name\n0,001,"Müller, A"\n',  # a column without a name, as pandas writes its index
        '"id, or so";id;name\nx;001;Müller, A\n',
    ],
)
def test_what_spreadsheets_add_does_no_harm(text):
    assert [row | {"id, or so": "x"} for row in rows(text.encode())] == [
        {"id": "001", "name": "Müller, A", "id, or so": "x"}
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its first line names no columns"),
        (b"\n\n", "its first line names no columns"),
        ("".encode("utf-16"), "its first line names no columns"),
        (b"id,name\n1,a\n2\n3,c\n", r"line 3 has 1 values where the first one has 2"),
        (b"id,name\n1,a,b\n2\n", r"line 2 has 3 values where the first one has 2, and 1 more lines"),
        (b"id,name,id\n1,a,2\n", "it names the column 'id' twice"),
        (b'id,name\n1,"a\n2,b\n', "unexpected end of data"),
        (b"PK\x03\x04\x14\x00", "it is a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is a workbook"),
        (b"id,name\n1,\x00\n", "bytes that are no text"),
        (b"\xff\xfe\x00", "truncated data"),
        (b"id\n\x81\n", "codec can't decode"),  # neither UTF-8 nor Windows-1252
    ],
)
def test_what_is_no_table_is_named(content, reason):
    with pytest.raises(UserError, match=rf"t\.csv is no table \(.*{reason}.*: save it as CSV in UTF-8, or fetch it"):
        rows(content)


def test_a_table_without_rows_keeps_its_columns():
    table, _ = parse_table(b"id,name\n", "t.csv", "fetch it")
    assert list(table) == ["id", "name"]
    assert len(table) == 0


def test_the_names_of_columns_come_from_the_first_bytes():
    assert column_names(b'"patient, id";x\n1;2') == ["patient, id", "x"]
    assert column_names("a\tb\n1".encode("utf-16")) == ["a", "b"]
    assert column_names(b"PK\x03\x04") == []
    assert column_names(b"") == []
