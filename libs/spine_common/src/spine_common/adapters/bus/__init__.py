"""How messages travel: through RabbitMQ between services, or inside one process."""
