"""Tables of carriers as files: every mistake with its line, and a start that no broken file can prevent."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller import carrier_file, setup_file
from controller.core.setup import Carrier, TableSource
from controller.errors import SetupError

pytestmark = pytest.mark.pure

HEAD = 'country = "VN"\nversion = "2027-01-31"\nsources = ["our contract"]\n'
RIGHT = HEAD + '[[carrier]]\nname = "newcomer"\naliases = ["New Comer"]\nprefixes = ["0123"]\non_net = "viettel"\n'


@pytest.fixture(name="write")
def _write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "carriers.toml"
        path.write_text(text)
        return path

    return write


def setup_text(path: object) -> str:
    return f'[defaults]\ncarriers = "{path}"\n'


def test_a_table_of_ones_own_is_in_force_for_a_setup_that_names_it(write) -> None:
    path = write(RIGHT)
    setup = setup_file.parse(setup_text(path))
    assert setup.carriers == (Carrier("newcomer", ("New Comer",), ("0123",), "viettel"),)
    assert setup.carriers_from == TableSource(str(path), "2027-01-31", ("our contract",))
    assert setup_file.parse_in_force(setup_text(path)) == setup


def test_a_date_may_be_a_date(write) -> None:
    assert carrier_file.load(write(RIGHT.replace('"2027-01-31"', "2027-01-31"))).source.version == "2027-01-31"


CARRIER = '[[carrier]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1: country: is missing", "1: version: is missing", "1: sources: must name where the table comes from",
              "1: carrier: the table names no carrier"]),
        ("x = ", ["1: this is no TOML: Invalid value (at the end of the file)"]),
        (HEAD + CARRIER + 'prefix = ["086"]\n', [
            "6: carrier[0].prefix: there is no such key here (did you mean 'prefixes'?)"]),
        (HEAD + CARRIER + 'prefixes = ["86"]\n', [
            "6: carrier[0].prefixes[0]: '86' must be written as it is dialled at home, with the 0 in front"]),
        (HEAD + CARRIER + 'prefixes = ["0x"]\n', ["6: carrier[0].prefixes[0]: '0x' is not allowed here: digits only"]),
        (HEAD + CARRIER + 'prefixes = ["086"]\n[[carrier]]\nname = "b"\nprefixes = ["086"]\n', [
            "9: carrier[1].prefixes: '086' stands in carrier[0].prefixes already"]),
        (HEAD + CARRIER + CARRIER, ["7: carrier[1].name: 'a' stands in carrier[0].name already"]),
        (HEAD + CARRIER + '[[carrier]]\nname = "b"\naliases = ["A"]\n', [
            "8: carrier[1].aliases: 'A' already means carrier[0]"]),
        (HEAD.replace("2027-01-31", "soon") + CARRIER, [
            "2: version: must be the date of the table, such as 2026-11-22"]),
        (HEAD.replace("VN", "XX") + CARRIER, [
            "1: country: 'XX' is no country of two capital letters (ISO 3166), such as VN"]),
    ],
)  # fmt: skip
def test_every_mistake_has_its_line(write, text: str, problems: list[str]) -> None:
    path = write(text)
    with pytest.raises(SetupError) as caught:
        carrier_file.load(path)
    assert list(caught.value.problems) == [f"{path}:{problem}" for problem in problems]


def test_a_setup_that_names_a_file_nobody_can_use_is_refused_with_the_files_own_words(write, tmp_path: Path) -> None:
    path = write(HEAD + CARRIER + 'prefixes = ["86"]\n')
    with pytest.raises(SetupError) as caught:
        setup_file.parse(setup_text(path), "s.toml")
    assert caught.value.problems[0].startswith(f"s.toml:2: defaults.carriers: {path}:6: carrier[0].prefixes[0]: '86'")
    with pytest.raises(SetupError, match=r"gone\.toml: cannot be read: No such file"):
        setup_file.parse(setup_text(tmp_path / "gone.toml"))
    with pytest.raises(SetupError, match="is a table of GB, the setup is in VN"):
        setup_file.parse(setup_text(write(HEAD.replace("VN", "GB") + CARRIER)))
    with pytest.raises(SetupError, match="the path of a file, from the root"):
        setup_file.parse(setup_text("carriers.toml"))
    with pytest.raises(SetupError, match="the setup has carriers of its own"):
        setup_file.parse(setup_text(write(RIGHT)) + '[[carrier]]\nname = "a"\n')


def test_what_is_no_file_of_a_sensible_size_is_not_read(tmp_path: Path) -> None:
    long = tmp_path / "long.toml"
    long.write_bytes(b"#" * (carrier_file.BYTES_MAX + 1))
    for path, said in (("/dev/zero", "is no file"), (tmp_path, "is no file"), (long, "no table of carriers")):
        with pytest.raises(SetupError, match=said):
            setup_file.parse(setup_text(path))


def test_a_setup_in_force_starts_without_its_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "gone.toml"
    setup = setup_file.parse_in_force(setup_text(path))
    assert setup.carriers == carrier_file.shipped("VN").carriers
    assert setup.carriers_from.origin == "shipped"
    assert setup.carriers_from.trouble == f"{path}: cannot be read: No such file or directory"


def test_a_country_without_a_table_has_no_carriers() -> None:
    setup = setup_file.parse('[defaults]\ncountry = "GB"\n')
    assert (setup.carriers, setup.carriers_from) == ((), TableSource())


def test_rows_of_the_setup_are_its_own_table() -> None:
    assert setup_file.parse('[[carrier]]\nname = "a"\n').carriers_from == TableSource("setup")
