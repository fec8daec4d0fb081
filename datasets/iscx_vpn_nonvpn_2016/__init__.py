"""ISCX VPN-nonVPN 2016."""
