import { Message } from '../parts/message.tsx'

export function HostsPage() {
  return (
    <main>
      <Message title="Hosts">
        <p>Not here yet.</p>
      </Message>
    </main>
  )
}
