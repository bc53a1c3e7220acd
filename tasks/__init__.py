"""One Prefect task for each verb of the loop: names, retries, logging and artifacts. Rules live in the library."""
