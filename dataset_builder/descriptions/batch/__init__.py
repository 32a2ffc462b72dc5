"""Descriptions of many crystals: in several processes or on a cluster, within limits, resumed after a kill."""
