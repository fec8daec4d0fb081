"""What a system goes by and where it is wrong, of systems of which both are known."""

import numpy as np

from clgan_tf.data.examples import Examples
from clgan_tf.evaluation import Predictor
from clgan_tf.evaluation.explanation import MISTAKES, SESSIONS_ASKED, explain, worst_mistakes, worth_of_bytes

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (200, 28, 28, 1), np.uint8)
NAMES = ["low", "high"]


def of_byte(position: int) -> Predictor:
    """Sure that a session is of the class that the upper half of one byte's values names."""

    def predict(images: np.ndarray) -> np.ndarray:
        return 10 * np.eye(2)[(images.reshape(len(images), -1)[:, position] >= 128).astype(int)]

    return Predictor(predict, temperature=1.0)


def examples(labels: np.ndarray, name: str) -> Examples:
    captures = np.array([f"{name} {row}" for row in range(len(labels))])
    return Examples(IMAGES[: len(labels)].copy(), labels, captures, captures, np.full(len(labels), 784))


def test_only_the_block_of_the_byte_that_decides_is_worth_anything():
    for position, begin, end in ((9, 8, 12), (63, 60, 64), (64, 64, 80), (783, 768, 784)):
        labels = (IMAGES.reshape(200, -1)[:, position] >= 128).astype(np.int64)
        worth = worth_of_bytes(of_byte(position), examples(labels, "test"), seed=0)
        assert worth.shape == (784,)
        assert np.flatnonzero(worth).tolist() == list(range(begin, end))
        assert 0.3 < worth[position] < 0.7  # A byte of another session names the other class half of the time.


def test_the_network_is_asked_about_no_more_sessions_than_said():
    asked = []
    predictor = Predictor(lambda images: asked.append(len(images)) or np.zeros((len(images), 2)), 1.0)
    worth_of_bytes(predictor, examples(np.zeros(200, np.int64), "test"), seed=0)
    assert asked == [SESSIONS_ASKED * (1 + 16 + 45)]


def test_mistakes_come_surest_first_with_the_training_session_that_has_most_of_their_bytes():
    labels = np.array([0, 1, 0, 1])
    chances = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
    train = examples(np.array([1, 0, 1, 0]), "train")
    scored = examples(labels, "test")
    scored.images[1] = train.images[3]
    scored.images[1, 0, 0, 0] += 1
    first, second = worst_mistakes(chances, scored, train, NAMES)
    assert (first.true, first.said, first.probability, first.capture) == ("low", "high", 0.8, "test 2")
    assert (first.nearest, first.nearest_capture, first.alike) == ("high", "train 2", 1.0)
    assert (second.true, second.said, second.capture) == ("high", "low", "test 1")
    assert (second.nearest, second.nearest_capture, second.alike) == ("low", "train 3", 783 / 784)


def test_there_are_no_more_of_them_than_people_read():
    labels = np.zeros(50, np.int64)
    wrong = np.tile([0.3, 0.7], (50, 1))
    assert len(worst_mistakes(wrong, examples(labels, "test"), examples(labels, "train"), NAMES)) == MISTAKES


def test_a_system_that_gives_labels_alone_is_not_explained():
    scored = examples(np.zeros(10, np.int64), "test")
    assert explain(Predictor(lambda images: np.zeros(10)), np.zeros(10), scored, scored, None, 0) is None
