"""Which deployments a request is put to, and what that may cost."""
