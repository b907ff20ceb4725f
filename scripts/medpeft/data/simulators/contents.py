"""Reading of the archives that the simulators write."""

import io

import pandas as pd

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.simulators.archive import FOLDER, TABLE, TABLE_COLUMNS


def index(archive: Source) -> pd.DataFrame:
    """Return one row an image, as `Dataset.index` promises.

    Raises:
        UserError: The archive's table was changed.
    """
    table = pd.read_csv(io.BytesIO(archive.read(TABLE)), dtype=str)
    if missing := set(TABLE_COLUMNS) - set(table.columns):
        raise UserError(
            f"{TABLE} in {archive.path} lacks the columns {sorted(missing)}: delete the archive and run again"
        )
    return pd.DataFrame(
        {
            "image_id": table["image"].str.removesuffix(".png"),
            "group_id": table["patient"],
            "label": table["label"],
            "caption": table["caption"],
            "source_file": f"{archive.path.name}/{FOLDER}/" + table["image"],
        }
    ).sort_values("image_id", ignore_index=True)
