"""TFDS builders of this project; importing the package (clgan_tf_datasets) registers them."""

from clgan_tf_datasets.demo_traffic import demo_traffic_dataset_builder as demo_traffic
from clgan_tf_datasets.iscx_vpn_nonvpn_2016 import iscx_vpn_nonvpn_2016_dataset_builder as iscx_vpn_nonvpn_2016
from clgan_tf_datasets.labelled_captures import labelled_captures_dataset_builder as labelled_captures
from clgan_tf_datasets.ustc_tfc2016 import ustc_tfc2016_dataset_builder as ustc_tfc2016

__all__ = ["demo_traffic", "iscx_vpn_nonvpn_2016", "labelled_captures", "ustc_tfc2016"]
