"""Optional packages: which extra, and which version, in one line."""

import pytest

from audiosurvey.errors import UserError
from audiosurvey.extras import matching_torch, require_installed


def test_what_is_there_is_not_asked_for():
    require_installed("json", "torch", extra="none")


def test_all_that_is_missing_is_named_with_its_extra():
    with pytest.raises(UserError, match=r"^no_such_a, no_such_b: not installed; pip install 'audiosurvey\[onnx\]'$"):
        require_installed("no_such_a", "json", "no_such_b", extra="onnx")


def test_a_package_for_another_torch_names_both_versions():
    said = r"^numpy \d+\.\S+: does not work with torch \d+\.\S+ \(undefined symbol x\); "
    with pytest.raises(UserError, match=said), matching_torch("numpy"):
        raise ImportError("undefined\nsymbol x")


def test_a_package_that_imports_is_let_be():
    with matching_torch("numpy"):
        import numpy as np
    assert np.pi > 3
