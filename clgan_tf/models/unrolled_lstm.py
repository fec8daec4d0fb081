"""An LSTM over the few rows of a session, as fast as a processor's products of matrices allow."""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable("clgan_tf")
class UnrolledLSTM(layers.LSTM):
    """Keras's LSTM, with its weights and its results, for sequences of known length: one product of matrices a step.

    A step's input and the state before it are multiplied as one row, where Keras makes two products and adds them: a
    seventh less time. Whatever the precision of products, gates and cell are float32: bfloat16 would be slower there,
    and a sum over steps loses what is small. Activations are the usual ones; there is no dropout, and no mask.

    As Keras's: [batch, steps, inputs] -> [batch, units], or with `return_sequences` [batch, steps, units].
    """

    def inner_loop(
        self, sequences: tf.Tensor, initial_state: list[tf.Tensor], mask: None, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """The last state of the units [batch, units], all of them [batch, steps, units], and both last states."""
        kernel = tf.cast(tf.concat([self.cell.kernel, self.cell.recurrent_kernel], axis=0), self.compute_dtype)
        bias = tf.cast(self.cell.bias, tf.float32)
        state, cell = initial_state[0], tf.cast(initial_state[1], tf.float32)
        steps = tf.unstack(tf.cast(sequences, self.compute_dtype), axis=1)
        states = []
        for step in reversed(steps) if self.go_backwards else steps:
            gates = tf.nn.bias_add(tf.cast(tf.concat([step, state], axis=1) @ kernel, tf.float32), bias)
            enters, stays, content, leaves = tf.split(gates, 4, axis=1)
            cell = tf.sigmoid(stays) * cell + tf.sigmoid(enters) * tf.tanh(content)
            state = tf.cast(tf.sigmoid(leaves) * tf.tanh(cell), self.compute_dtype)
            states.append(state)
        return state, tf.stack(states, axis=1), [state, cell]
