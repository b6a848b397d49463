name := virtio_net
objs := main.o device.o legacy.o modern.o queue.o rx.o tx.o control.o
deps := ip ethernet
