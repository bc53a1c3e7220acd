"""The one door to S3: listing, our own records, downloading. Stores are passed in."""
