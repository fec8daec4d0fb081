"""The numbers that a session's bytes are summed up in, against NumPy's."""

import numpy as np
import pytest

from clgan_tf.models.byte_summary import ByteSummary

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)


def test_it_is_the_first_bytes_and_means_spreads_and_zeros_of_parts():
    rows = IMAGES.reshape(-1, 28, 28) / 255.0
    expected = [rows.reshape(-1, 784)[:, :64], rows.mean(axis=2), rows.std(axis=2), (rows == 0).mean(axis=2)]
    found = ByteSummary()(IMAGES)
    assert found.shape == (20, 148)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-5)


@pytest.mark.parametrize("shape", [(20, 784), (20, 280, 28, 1), (20, 5)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match="a summary is of an image"):
        ByteSummary()(np.zeros(shape, np.uint8))
