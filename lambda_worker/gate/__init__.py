"""The gate: samples whose pictures or video are not what a sample's should be are not stored."""
