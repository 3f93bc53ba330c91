#!/usr/bin/python3
"""A gRPC client that is not ours and knows nothing but an address.

It learns every message and method by server reflection (python3-grpcio has no reflection client, so
the first answer is read by hand), then sells one unit with what it learned, asks for health, and
last sees an open stream end when the server drains.

    client.py <host:port> <admin token> <pid of the server, which is sent SIGTERM at the end>
"""
import os
import queue
import signal
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SECONDS = 60


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def lengths(data, number):
    """The length-delimited fields of that number in an encoded message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            _, at = varint(data, at)
            continue
        assert tag & 7 == 2, tag
        length, at = varint(data, at)
        if tag >> 3 == number:
            yield data[at:at + length]
        at += length


def field(number, text):
    data = text.encode()
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


class Stream:
    """One reflection stream that stays open between its questions."""

    def __init__(self, channel, version):
        self.questions = queue.Queue()
        method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        self.answers = channel.stream_stream(method)(iter(self.questions.get, None), timeout=SECONDS)

    def ask(self, question):
        self.questions.put(question)
        return next(self.answers)

    def files(self, symbol):
        answer = self.ask(field(4, symbol))
        return [file for told in lengths(answer, 4) for file in lengths(told, 1)]

    def services(self):
        return [name.decode() for told in lengths(self.ask(field(7, "*")), 6)
                for service in lengths(told, 1) for name in lengths(service, 1)]

    def close(self):
        self.questions.put(None)
        assert list(self.answers) == []
        assert self.answers.code() == grpc.StatusCode.OK, self.answers.code()


class Server:
    def __init__(self, channel):
        self.channel = channel
        self.pool = descriptor_pool.DescriptorPool()
        self.factory = message_factory.MessageFactory(self.pool)

    def learn(self, stream):
        files = {}
        for service in stream.services():
            for data in stream.files(service):
                file = descriptor_pb2.FileDescriptorProto.FromString(data)
                files[file.name] = file
        added = set()

        def add(name):
            if name not in added:
                added.add(name)
                for wanted in files[name].dependency:
                    add(wanted)
                self.pool.Add(files[name])

        for name in files:
            add(name)

    def call(self, service, method, fields, token=None):
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        request = self.factory.GetPrototype(found.input_type)(**fields)
        reply = self.factory.GetPrototype(found.output_type)
        metadata = [("authorization", "Bearer " + token)] if token else []
        kind = self.channel.unary_stream if method == "Watch" else self.channel.unary_unary
        return kind(f"/{service}/{method}", request_serializer=lambda m: m.SerializeToString(),
                    response_deserializer=reply.FromString)(request, timeout=SECONDS,
                                                            metadata=metadata)


def sell(server, token):
    sale = server.call("stampede.sales.v1.SaleService", "CreateSale", {
        "idempotency_key": "foreign", "sku": "s", "title": "Foreign",
        "unit_price": {"currency_code": "EUR", "amount_minor": 100},
        "end_time": {"seconds": 32503680000}, "stock_total": 1}, token).sale
    wanted = {"sale_id": sale.sale_id, "idempotency_key": "k", "customer_id": "c", "quantity": 1}
    placed = server.call("stampede.orders.v1.OrderService", "PlaceOrder", wanted)
    again = server.call("stampede.orders.v1.OrderService", "PlaceOrder", wanted)
    assert placed.order.number == 1 and not placed.replayed
    assert again.order.order_id == placed.order.order_id and again.replayed
    try:
        server.call("stampede.orders.v1.OrderService", "PlaceOrder",
                    {**wanted, "idempotency_key": "other"})
        raise AssertionError("one unit was sold twice")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error.code()
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        assert b"SOLD_OUT" in details, details


def main():
    address, token, pid = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        server = Server(channel)
        stream = Stream(channel, "v1")
        server.learn(stream)
        alpha = Stream(channel, "v1alpha")
        assert alpha.services() == stream.services()
        assert alpha.files("stampede.ops.v1.OpsService") == stream.files("stampede.ops.v1.OpsService")
        alpha.close()
        sell(server, token)
        health = "grpc.health.v1.Health"
        assert server.call(health, "Check", {"service": "stampede.orders.v1.OrderService"}).status == 1
        assert "stampede.sales.v1.SaleService" in server.call(health, "List", {}).statuses
        watch = server.call(health, "Watch", {"service": ""})
        assert next(watch).status == 1
        os.kill(int(pid), signal.SIGTERM)
        assert next(watch).status == 2
        try:
            next(stream.answers)
            raise AssertionError("a stream outlived its server")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error.code()
        stream.questions.put(None)
    print("ok")


main()
