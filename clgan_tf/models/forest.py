"""Trees that scikit-learn has grown, as a Keras model: they are saved, loaded and exported as networks are.

A saved forest is arrays in a .keras file, no pickle, and every array is checked before it is followed.
"""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from clgan_tf.models.pixels import IMAGE_BYTES, IMAGE_SHAPE

if TYPE_CHECKING:  # Who loads a forest needs no scikit-learn.
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.tree._tree import Tree

BYTE, AT_MOST, THEN, ELSE = range(4)  # columns of a split
LEAST_SHARE = 1e-6  # of a class that no tree names, so that its logarithm is a number


@keras.saving.register_keras_serializable("clgan_tf")
class Trees(layers.Layer):
    """Bytes [batch, 784] -> logits [batch, K] float32.

    They are logarithms of each class's share in a session's leaves, so that their softmax is that share, as
    scikit-learn's predict_proba has it.

    Where a split or a root points: at a split from 0, at a leaf from -1 downwards.

    Args:
      trees, splits, leaves, num_classes: how many of each. depth: splits from a root to the deepest leaf.
    """

    def __init__(self, trees: int, splits: int, leaves: int, num_classes: int, depth: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trees, self.splits, self.leaves = trees, splits, leaves
        self.num_classes, self.depth = num_classes, depth

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Roots, splits (byte, at most, then, else), and each leaf's shares of the classes."""
        shapes = {"roots": (self.trees,), "nodes": (self.splits, 4)}
        for name, shape in shapes.items():
            weight = self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name, dtype="int32")
            setattr(self, name, weight)
        self.shares = self.add_weight(
            shape=(self.leaves, self.num_classes), initializer="zeros", trainable=False, name="shares", dtype="float32"
        )

    def call(self, tokens: Any) -> Any:
        """Follows all trees at once, a split at a time."""
        tokens = tf.cast(tokens, tf.int32)
        roots = tf.convert_to_tensor(self.roots)
        at = tf.repeat(roots[None], tf.shape(tokens)[0], axis=0)  # [batch, trees]

        def deeper(_: Any, at: tf.Tensor) -> tf.Tensor:
            split = tf.gather(self.nodes, tf.maximum(at, 0))
            goes_then = tf.gather(tokens, split[..., BYTE], batch_dims=1) <= split[..., AT_MOST]
            return tf.where(at < 0, at, tf.where(goes_then, split[..., THEN], split[..., ELSE]))

        at = ops.fori_loop(0, self.depth, deeper, at)
        shares = tf.reduce_mean(tf.gather(self.shares, tf.maximum(-1 - at, 0)), axis=1)
        return tf.math.log(tf.maximum(shares, LEAST_SHARE))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One row each."""
        return input_shape[0], self.num_classes

    def require_sound(self) -> None:
        """Raises ValueError where a root or a split points at nothing, as only a damaged or hostile file has it."""
        nodes, roots = self.nodes.numpy(), self.roots.numpy()
        pointers = np.concatenate([roots, nodes[:, THEN], nodes[:, ELSE]])
        if pointers.size and not (-self.leaves <= pointers.min() and pointers.max() < self.splits):
            raise ValueError("a tree leads to a node that is not there")
        if not ((nodes[:, BYTE] >= 0) & (nodes[:, BYTE] < IMAGE_BYTES)).all():
            raise ValueError("a tree asks for a byte that no session has")

    def get_config(self) -> dict[str, Any]:
        """All arguments."""
        sizes = {name: getattr(self, name) for name in ("trees", "splits", "leaves", "num_classes", "depth")}
        return {**super().get_config(), **sizes}


def forest_network(forest: "RandomForestClassifier | ExtraTreesClassifier", num_classes: int) -> keras.Model:
    """The forest as a model: bytes [batch, 28, 28, 1] uint8 -> logits [batch, K].

    Args:
      forest: fitted to bytes [n, 784] and labels 0..num_classes-1, not necessarily all of them.
    """
    roots, nodes, shares = [], [np.zeros((1, 4), np.int64)], []  # Nothing leads to the first: a forest may be leaves.
    splits, leaves = 1, 0
    for tree in (one.tree_ for one in forest.estimators_):
        root, grown, of_leaves = _arrays(tree, splits, leaves)
        roots.append(root)
        nodes.append(grown)
        shares.append(of_leaves)
        splits, leaves = splits + len(grown), leaves + len(of_leaves)
    of_class = np.zeros((leaves, num_classes), np.float32)
    of_class[:, forest.classes_] = np.concatenate(shares)
    depth = max(int(one.tree_.max_depth) for one in forest.estimators_)
    trees = Trees(len(roots), splits, leaves, num_classes, depth, name="trees")
    image = keras.Input(IMAGE_SHAPE, dtype="uint8", name="bytes")
    tokens = layers.Flatten(name="tokens")(image)
    model = keras.Model(image, trees(tokens), name="forest")
    trees.set_weights([np.array(roots), np.concatenate(nodes), of_class])
    return model


def _arrays(tree: "Tree", first_split: int, first_leaf: int) -> tuple[int, np.ndarray, np.ndarray]:
    """A tree's root, splits [s, 4] and leaves' shares [l, classes], numbered from the first numbers given."""
    is_leaf = tree.children_left < 0
    numbers = np.where(is_leaf, -first_leaf - np.cumsum(is_leaf), first_split + np.cumsum(~is_leaf) - 1)
    inner = ~is_leaf
    children = (numbers[side[inner]] for side in (tree.children_left, tree.children_right))
    # A byte is a whole number: at most a threshold is at most the whole number below it.
    columns = [tree.feature[inner], np.floor(tree.threshold[inner]), *children]
    values = tree.value[is_leaf, 0]
    return int(numbers[0]), np.stack(columns, axis=1).astype(np.int64), values / values.sum(axis=1, keepdims=True)
