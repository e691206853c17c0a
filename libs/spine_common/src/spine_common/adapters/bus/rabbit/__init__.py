"""The bus over RabbitMQ: FastStream feeds the consumers, publishers have their own connection."""

from spine_common.adapters.bus.rabbit.bus import RabbitBus

__all__ = ["RabbitBus"]
