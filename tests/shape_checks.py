"""The type checker of the import hook: beartype, with whole numbers allowed where floats are."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
