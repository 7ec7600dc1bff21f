"""Files become samples, samples become batches, and a made data set stands in for both."""
