import { useSession } from './hooks/use-session.ts'
import { useTheme } from './hooks/use-theme.ts'
import { Explorer } from './parts/explorer.tsx'
import { SignIn } from './parts/sign-in.tsx'

export function App() {
  const { theme, cycle } = useTheme()
  const { state, enter, leave, ended } = useSession()
  if (state.phase === 'checking') return <div className="page" aria-busy="true" />
  if (state.phase === 'out') return <SignIn state={state} enter={enter} />
  return (
    <Explorer
      session={state.session}
      theme={theme}
      onCycleTheme={cycle}
      onSignOut={() => void leave()}
      onSessionEnded={ended}
    />
  )
}
