"""What survives kills, power cuts, full and failing disks, damaged bytes and racing senders."""
