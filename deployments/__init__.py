"""What puts the flows on a Prefect server: deployments, automations, schedules; and the server of `make up`."""
