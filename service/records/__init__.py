"""What happened, and what may be told of it: the journal of requests, the queue of reviews, the audit of acts."""
