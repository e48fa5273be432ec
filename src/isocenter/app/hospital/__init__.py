"""A whole hospital on one machine: PACS, router and cloud as processes of one supervisor."""
