package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func serve(certificate, key string) {
	options := []grpc.ServerOption{grpc.ForceServerCodec(raw{})}
	if certificate != "" {
		secure, err := credentials.NewServerTLSFromFile(certificate, key)
		check(err)
		options = append(options, grpc.Creds(secure))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := grpc.NewServer(options...)
	server.RegisterService(&service, nil)
	check(server.Serve(listener))
}

var service = grpc.ServiceDesc{
	ServiceName: "kurun.test.Kinds",
	Methods: []grpc.MethodDesc{
		unary("Echo", func(_ context.Context, request []byte) ([]byte, error) { return request, nil }),
		unary("Fail", func(ctx context.Context, _ []byte) ([]byte, error) {
			_ = grpc.SetTrailer(ctx, metadata.Pairs("why", "a test"))
			return nil, status.Error(codes.FailedPrecondition, "not today")
		}),
		unary("Wait", wait),
	},
	Streams: []grpc.StreamDesc{
		{StreamName: "Collect", ClientStreams: true, Handler: collect},
		{StreamName: "Count", ServerStreams: true, Handler: count},
		{StreamName: "Flood", ServerStreams: true, Handler: flood},
		{StreamName: "Talk", ClientStreams: true, ServerStreams: true, Handler: talk},
	},
}

func unary(name string, answer func(context.Context, []byte) ([]byte, error)) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var request []byte
			if err := decode(&request); err != nil {
				return nil, err
			}
			reply, err := answer(ctx, request)
			return &reply, err
		},
	}
}

// wait never answers by itself. Its header says that the call has begun.
func wait(ctx context.Context, request []byte) ([]byte, error) {
	if err := grpc.SendHeader(ctx, metadata.Pairs("began", "yes")); err != nil {
		return nil, err
	}
	limit := "without a deadline"
	if deadline, has := ctx.Deadline(); has {
		limit = fmt.Sprintf("with %d ms", time.Until(deadline).Milliseconds())
	}
	<-ctx.Done()
	fmt.Printf("Wait %s %s ended: %v\n", request, limit, ctx.Err())
	return nil, ctx.Err()
}

// collect answers with the number of messages and their total size.
func collect(_ any, stream grpc.ServerStream) error {
	messages, size := 0, 0
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			reply := []byte(fmt.Sprintf("%d messages, %d bytes", messages, size))
			return stream.SendMsg(&reply)
		}
		if err != nil {
			return err
		}
		messages++
		size += len(message)
	}
}

// count sends the requested number of messages.
func count(_ any, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	var messages int
	if _, err := fmt.Sscan(string(request), &messages); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	for i := 0; i < messages; i++ {
		message := []byte(fmt.Sprint(i))
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
	return nil
}

// flood sends until its caller cancels.
func flood(_ any, stream grpc.ServerStream) error {
	message := make([]byte, 16*1024)
	for {
		if err := stream.SendMsg(&message); err != nil {
			fmt.Printf("Flood ended: %v\n", stream.Context().Err())
			return err
		}
	}
}

// talk answers each message before the next one comes.
func talk(_ any, stream grpc.ServerStream) error {
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		message = append(message, " too"...)
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}
