"""What happened, and what may be told of it: the journal of requests, reviews, the audit of acts; and forgetting."""
